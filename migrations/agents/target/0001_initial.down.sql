-- whimbrel: lossy
-- Every table goes, children before parents, and every row with them.

DROP TABLE events;
DROP TABLE configurations;
DROP TABLE pull_requests;
DROP TABLE git_state;
DROP TABLE checkpoints;
DROP TABLE performance_metrics;
DROP TABLE context_events;
DROP TABLE memory_snapshots;
DROP TABLE context_sessions;
DROP TABLE project_tasks;
DROP TABLE projects;
DROP TABLE tasks;
DROP TABLE agent_messages;
DROP TABLE agents;
