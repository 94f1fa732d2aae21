-- e-mail addresses that several users have
SELECT email, count(*) AS users
FROM users
GROUP BY email
HAVING count(*) > 1;
