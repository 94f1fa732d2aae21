-- OAuth accounts whose user is missing
SELECT provider, provider_account_id, user_id
FROM accounts
WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.id = accounts.user_id);
