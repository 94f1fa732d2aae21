-- whimbrel: lossy
-- Every table goes, children before parents, and every row with them.

DROP TABLE "CollaborationInvite";
DROP TABLE "ProjectCollaborator";
DROP TABLE "TokenUsage";
DROP TABLE "Message";
DROP TABLE "ProjectFile";
DROP TABLE "Project";
DROP TABLE "VerificationToken";
DROP TABLE "Session";
DROP TABLE "Account";
DROP TABLE "User";
