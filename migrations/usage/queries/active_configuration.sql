-- every request: the configuration that is active
SELECT plan, custom_limit_tokens, view, timezone, time_format, theme, refresh_rate, refresh_per_second, reset_hour,
       created_at, updated_at
FROM usage_config
WHERE is_active = 1;
