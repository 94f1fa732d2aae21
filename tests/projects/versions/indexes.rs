//! The indexes of the applications' schemas, by name, table and columns: what a document asks for is written down here
//! once more, so that none is lost or moved in silence.

use std::collections::BTreeSet;
use std::path::Path;

use super::Database;
use whimbrel::schema::To;

/// One global configuration for each key.
const AGENTS_BASE: &[(&str, &str, &str)] = &[("idx_configurations_global", "configurations", "(category, key)")];

/// The indexes of the foreign keys of `agents`.
const AGENTS_FOREIGN_KEYS: &[(&str, &str, &str)] = &[
    ("idx_tasks_agent_id", "tasks", "(agent_id)"),
    ("idx_tasks_parent_task_id", "tasks", "(parent_task_id)"),
    ("idx_agent_messages_from_agent", "agent_messages", "(from_agent)"),
    ("idx_agent_messages_to_agent", "agent_messages", "(to_agent)"),
    ("idx_memory_snapshots_session_id", "memory_snapshots", "(session_id)"),
    ("idx_context_sessions_agent_id", "context_sessions", "(agent_id)"),
    ("idx_performance_metrics_agent_id", "performance_metrics", "(agent_id)"),
    ("idx_performance_metrics_task_id", "performance_metrics", "(task_id)"),
    ("idx_git_state_agent_id", "git_state", "(agent_id)"),
    ("idx_pull_requests_author_agent", "pull_requests", "(author_agent)"),
    ("idx_configurations_agent_id", "configurations", "(agent_id)"),
    ("idx_events_agent_id", "events", "(agent_id)"),
    ("idx_project_tasks_project_id", "project_tasks", "(project_id)"),
    ("idx_project_tasks_task_id", "project_tasks", "(task_id)"),
    ("idx_checkpoints_project_id", "checkpoints", "(project_id)"),
];

/// The indexes behind the queries of `agents`.
const AGENTS_QUERIES: &[(&str, &str, &str)] = &[
    ("idx_agents_status", "agents", "(status)"),
    ("idx_agents_agent_type", "agents", "(agent_type)"),
    ("idx_agent_messages_delivery", "agent_messages", "(to_agent, delivered_at)"),
    ("idx_agent_messages_priority", "agent_messages", "(priority, sent_at)"),
    ("idx_tasks_status", "tasks", "(status)"),
    ("idx_tasks_agent_status", "tasks", "(agent_id, status)"),
    ("idx_tasks_priority", "tasks", "(priority, created_at)"),
    ("idx_projects_status", "projects", "(status)"),
    ("idx_context_sessions_active", "context_sessions", "(agent_id, is_active)"),
    ("idx_context_sessions_usage", "context_sessions", "(usage_percent)"),
    ("idx_memory_snapshots_session_type", "memory_snapshots", "(session_id, memory_type)"),
    ("idx_memory_snapshots_importance", "memory_snapshots", "(importance_score)"),
    ("idx_memory_snapshots_content_hash", "memory_snapshots", "(content_hash)"),
    ("idx_context_events_session", "context_events", "(session_id, timestamp)"),
    ("idx_context_events_type", "context_events", "(event_type, timestamp)"),
    ("idx_performance_metrics_agent_type", "performance_metrics", "(agent_id, metric_type)"),
    ("idx_performance_metrics_task_type", "performance_metrics", "(task_id, metric_type)"),
    ("idx_performance_metrics_recorded_at", "performance_metrics", "(recorded_at)"),
    ("idx_checkpoints_project_created", "checkpoints", "(project_id, created_at)"),
    ("idx_git_state_agent_updated", "git_state", "(agent_id, updated_at)"),
    ("idx_git_state_pull_request", "git_state", "(pr_number, pr_status)"),
    ("idx_pull_requests_status", "pull_requests", "(status, created_at)"),
    ("idx_pull_requests_size", "pull_requests", "(size_lines)"),
    ("idx_configurations_category_key", "configurations", "(category, key)"),
    ("idx_events_agent_timestamp", "events", "(agent_id, timestamp)"),
    ("idx_events_type", "events", "(event_type, timestamp)"),
    ("idx_events_severity", "events", "(severity, timestamp)"),
];

/// The indexes of `usage`.
const USAGE: &[(&str, &str, &str)] = &[
    ("idx_source_app", "events", "(source_app)"),
    ("idx_session_id", "events", "(session_id)"),
    ("idx_hook_event_type", "events", "(hook_event_type)"),
    ("idx_timestamp", "events", "(timestamp)"),
    ("idx_themes_name", "themes", "(name)"),
    ("idx_themes_isPublic", "themes", "(isPublic)"),
    ("idx_themes_createdAt", "themes", "(createdAt)"),
    ("idx_theme_shares_theme", "theme_shares", "(themeId)"),
    ("idx_theme_shares_token", "theme_shares", "(shareToken)"),
    ("idx_theme_ratings_theme", "theme_ratings", "(themeId)"),
    ("idx_usage_config_active", "usage_config", "(is_active)"),
    ("idx_usage_snapshots_session_id", "usage_snapshots", "(session_id, timestamp)"),
    ("idx_usage_snapshots_timestamp", "usage_snapshots", "(timestamp)"),
    ("idx_usage_snapshots_type", "usage_snapshots", "(snapshot_type)"),
];

/// The indexes of `deespec`.
const DEESPEC: &[(&str, &str, &str)] = &[
    ("idx_sbi_status", "sbi", "(status)"),
    ("idx_sbi_created", "sbi", "(created_at)"),
    ("idx_execution_sbi", "execution", "(sbi_id)"),
    ("idx_execution_turn", "execution", "(sbi_id, turn)"),
    ("idx_audit_entity", "audit_log", "(entity_type, entity_id)"),
    ("idx_audit_timestamp", "audit_log", "(timestamp)"),
    ("idx_sbi_list", "sbi", "(status, created_at, id, task_id, label)"),
    ("idx_execution_recent", "execution", "(an expression)"),
];

/// Every index that a script has created, with its table and columns as SQLite knows them.
fn indexes(project: &str, to: To) -> BTreeSet<(String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(project);
    let mut database = Database::new(&folder);
    database.up(to);
    let sql = "SELECT m.name, m.tbl_name,
                      (SELECT '(' || group_concat(coalesce(i.name, 'an expression'), ', ' ORDER BY i.seqno) || ')' FROM pragma_index_info(m.name) i)
               FROM sqlite_schema m WHERE m.type = 'index' AND m.sql IS NOT NULL AND m.tbl_name <> 'schema_migrations'";
    let connection = database.connection();
    let mut statement = connection.prepare(sql).unwrap();
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    found.collect::<Result<_, _>>().unwrap()
}

fn expected(lists: &[&[(&str, &str, &str)]]) -> BTreeSet<(String, String, String)> {
    let all = lists.iter().flat_map(|list| list.iter());
    all.map(|(name, table, columns)| (name.to_string(), table.to_string(), columns.to_string())).collect()
}

#[test]
fn agents_has_the_indexes_of_its_foreign_keys_and_of_its_queries() {
    assert_eq!((AGENTS_FOREIGN_KEYS.len(), AGENTS_QUERIES.len()), (15, 27));
    assert_eq!(indexes("agents", To::Version(1)), expected(&[AGENTS_BASE]));
    assert_eq!(indexes("agents", To::Version(2)), expected(&[AGENTS_BASE, AGENTS_FOREIGN_KEYS]));
    assert_eq!(indexes("agents", To::Newest), expected(&[AGENTS_BASE, AGENTS_FOREIGN_KEYS, AGENTS_QUERIES]));
}

#[test]
fn usage_and_deespec_have_their_indexes() {
    assert_eq!(indexes("usage", To::Newest), expected(&[USAGE]));
    assert_eq!(indexes("deespec", To::Newest), expected(&[DEESPEC]));
}
