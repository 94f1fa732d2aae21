-- invites with an unknown status
SELECT id, status
FROM collaboration_invites
WHERE status NOT IN ('PENDING', 'ACCEPTED', 'DECLINED');
