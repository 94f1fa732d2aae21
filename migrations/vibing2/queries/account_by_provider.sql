-- OAuth: the user of a provider's account
-- :provider             text, from accounts.provider
-- :provider_account_id  text, from accounts.provider_account_id
SELECT user_id, access_token, expires_at
FROM accounts
WHERE provider = :provider AND provider_account_id = :provider_account_id;
