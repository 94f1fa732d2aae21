-- whimbrel: lossy
-- Every table goes, children before parents, and every row with them.

DROP TABLE theme_ratings;
DROP TABLE theme_shares;
DROP TABLE themes;
DROP TABLE events;
