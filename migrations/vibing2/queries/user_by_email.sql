-- sign in: a user by e-mail address
-- :email  text, from users.email
SELECT id, name, password, plan, token_balance, context_used
FROM users
WHERE email = :email;
