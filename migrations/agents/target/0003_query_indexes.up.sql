-- The indexes behind the application's queries. An index name is unique in the whole database, so each has the name of
-- its table in front.

CREATE INDEX idx_agents_status ON agents (status);
CREATE INDEX idx_agents_agent_type ON agents (agent_type);
CREATE INDEX idx_agent_messages_delivery ON agent_messages (to_agent, delivered_at);
CREATE INDEX idx_agent_messages_priority ON agent_messages (priority, sent_at);
CREATE INDEX idx_tasks_status ON tasks (status);
CREATE INDEX idx_tasks_agent_status ON tasks (agent_id, status);
CREATE INDEX idx_tasks_priority ON tasks (priority, created_at);
CREATE INDEX idx_projects_status ON projects (status);
CREATE INDEX idx_context_sessions_active ON context_sessions (agent_id, is_active);
CREATE INDEX idx_context_sessions_usage ON context_sessions (usage_percent);
CREATE INDEX idx_memory_snapshots_session_type ON memory_snapshots (session_id, memory_type);
CREATE INDEX idx_memory_snapshots_importance ON memory_snapshots (importance_score);
CREATE INDEX idx_memory_snapshots_content_hash ON memory_snapshots (content_hash);
CREATE INDEX idx_context_events_session ON context_events (session_id, timestamp);
CREATE INDEX idx_context_events_type ON context_events (event_type, timestamp);
CREATE INDEX idx_performance_metrics_agent_type ON performance_metrics (agent_id, metric_type);
CREATE INDEX idx_performance_metrics_task_type ON performance_metrics (task_id, metric_type);
CREATE INDEX idx_performance_metrics_recorded_at ON performance_metrics (recorded_at);
CREATE INDEX idx_checkpoints_project_created ON checkpoints (project_id, created_at);
CREATE INDEX idx_git_state_agent_updated ON git_state (agent_id, updated_at);
CREATE INDEX idx_git_state_pull_request ON git_state (pr_number, pr_status);
CREATE INDEX idx_pull_requests_status ON pull_requests (status, created_at);
CREATE INDEX idx_pull_requests_size ON pull_requests (size_lines);
CREATE INDEX idx_configurations_category_key ON configurations (category, key);
CREATE INDEX idx_events_agent_timestamp ON events (agent_id, timestamp);
CREATE INDEX idx_events_type ON events (event_type, timestamp);
CREATE INDEX idx_events_severity ON events (severity, timestamp);
