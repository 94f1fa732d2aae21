-- The application's PostgreSQL schema as Prisma names it: quoted PascalCase tables, quoted camelCase columns.
-- Times are TIMESTAMP(3) without a zone and mean UTC. Columns "updatedAt" have no default: Prisma's client fills them.

CREATE TABLE "User" (
    "id"            TEXT NOT NULL,
    "name"          TEXT,
    "email"         TEXT NOT NULL,
    "emailVerified" TIMESTAMP(3),
    "password"      TEXT NOT NULL,
    "image"         TEXT,
    "plan"          TEXT NOT NULL DEFAULT 'FREE',
    "tokenBalance"  INTEGER NOT NULL DEFAULT 10000,
    "contextUsed"   DOUBLE PRECISION NOT NULL DEFAULT 0,
    "createdAt"     TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"     TIMESTAMP(3) NOT NULL,
    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "User_email_key" ON "User" ("email");

-- The columns that OAuth libraries write have snake_case names in PostgreSQL, too.
CREATE TABLE "Account" (
    "userId"            TEXT NOT NULL,
    "type"              TEXT NOT NULL,
    "provider"          TEXT NOT NULL,
    "providerAccountId" TEXT NOT NULL,
    "refresh_token"     TEXT,
    "access_token"      TEXT,
    "expires_at"        INTEGER,
    "token_type"        TEXT,
    "scope"             TEXT,
    "id_token"          TEXT,
    "session_state"     TEXT,
    "createdAt"         TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"         TIMESTAMP(3) NOT NULL,
    CONSTRAINT "Account_pkey" PRIMARY KEY ("provider", "providerAccountId"),
    CONSTRAINT "Account_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);

-- There is no primary key: rows are told apart by "sessionToken".
CREATE TABLE "Session" (
    "sessionToken" TEXT NOT NULL,
    "userId"       TEXT NOT NULL,
    "expires"      TIMESTAMP(3) NOT NULL,
    "createdAt"    TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"    TIMESTAMP(3) NOT NULL,
    CONSTRAINT "Session_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "Session_sessionToken_key" ON "Session" ("sessionToken");

CREATE TABLE "VerificationToken" (
    "identifier" TEXT NOT NULL,
    "token"      TEXT NOT NULL,
    "expires"    TIMESTAMP(3) NOT NULL,
    CONSTRAINT "VerificationToken_pkey" PRIMARY KEY ("identifier", "token")
);

-- "activeAgents" is the text of a JSON array, not an array; "currentCode" is deprecated: files are in "ProjectFile".
CREATE TABLE "Project" (
    "id"           TEXT NOT NULL,
    "name"         TEXT NOT NULL,
    "description"  TEXT,
    "projectType"  TEXT NOT NULL,
    "activeAgents" TEXT NOT NULL DEFAULT '[]',
    "currentCode"  TEXT,
    "visibility"   TEXT NOT NULL DEFAULT 'PRIVATE',
    "likes"        INTEGER NOT NULL DEFAULT 0,
    "forks"        INTEGER NOT NULL DEFAULT 0,
    "userId"       TEXT NOT NULL,
    "createdAt"    TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"    TIMESTAMP(3) NOT NULL,
    CONSTRAINT "Project_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Project_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "Project_userId_idx" ON "Project" ("userId");
CREATE INDEX "Project_visibility_updatedAt_idx" ON "Project" ("visibility", "updatedAt");
CREATE INDEX "Project_projectType_idx" ON "Project" ("projectType");

CREATE TABLE "ProjectFile" (
    "id"        TEXT NOT NULL,
    "projectId" TEXT NOT NULL,
    "path"      TEXT NOT NULL,
    "content"   TEXT NOT NULL,
    "language"  TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "ProjectFile_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "ProjectFile_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "ProjectFile_projectId_path_key" ON "ProjectFile" ("projectId", "path");
CREATE INDEX "ProjectFile_projectId_idx" ON "ProjectFile" ("projectId");

CREATE TABLE "Message" (
    "id"        TEXT NOT NULL,
    "role"      TEXT NOT NULL,
    "content"   TEXT NOT NULL,
    "projectId" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Message_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Message_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "Message_projectId_createdAt_idx" ON "Message" ("projectId", "createdAt");

CREATE TABLE "TokenUsage" (
    "id"          TEXT NOT NULL,
    "userId"      TEXT NOT NULL,
    "tokensUsed"  INTEGER NOT NULL,
    "contextUsed" DOUBLE PRECISION NOT NULL,
    "savedTokens" INTEGER NOT NULL DEFAULT 0,
    "endpoint"    TEXT NOT NULL,
    "timestamp"   TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "TokenUsage_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "TokenUsage_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "TokenUsage_userId_timestamp_idx" ON "TokenUsage" ("userId", "timestamp");
CREATE INDEX "TokenUsage_endpoint_idx" ON "TokenUsage" ("endpoint");

CREATE TABLE "ProjectCollaborator" (
    "id"        TEXT NOT NULL,
    "projectId" TEXT NOT NULL,
    "userId"    TEXT NOT NULL,
    "role"      TEXT NOT NULL DEFAULT 'VIEWER',
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "ProjectCollaborator_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "ProjectCollaborator_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "ProjectCollaborator_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "ProjectCollaborator_projectId_userId_key" ON "ProjectCollaborator" ("projectId", "userId");

CREATE TABLE "CollaborationInvite" (
    "id"         TEXT NOT NULL,
    "projectId"  TEXT NOT NULL,
    "fromUserId" TEXT NOT NULL,
    "toUserId"   TEXT NOT NULL,
    "status"     TEXT NOT NULL DEFAULT 'PENDING',
    "createdAt"  TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"  TIMESTAMP(3) NOT NULL,
    CONSTRAINT "CollaborationInvite_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "CollaborationInvite_projectId_fkey" FOREIGN KEY ("projectId") REFERENCES "Project" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "CollaborationInvite_fromUserId_fkey" FOREIGN KEY ("fromUserId") REFERENCES "User" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "CollaborationInvite_toUserId_fkey" FOREIGN KEY ("toUserId") REFERENCES "User" ("id")
        ON DELETE CASCADE ON UPDATE CASCADE
);
