-- OAuth: the user of a provider's account
-- :provider             text
-- :provider_account_id  text
SELECT user_id, access_token, expires_at
FROM accounts
WHERE provider = :provider AND provider_account_id = :provider_account_id;
