-- whimbrel: lossy
-- The configuration and every snapshot go. Events and themes stay as they are.

DROP TRIGGER usage_snapshots_follow_session;
DROP TRIGGER usage_snapshots_forget_session;
DROP TABLE usage_snapshots;
DROP TABLE usage_config;
