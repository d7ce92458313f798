-- What is known of the tools of MCP servers since they were seen first. state and since are what lists are made by; the
-- forms of the tool are in doc, as JSON.
CREATE TABLE tool_pins (
    server TEXT    NOT NULL,
    tool   TEXT    NOT NULL,
    state  TEXT    NOT NULL,
    since  INTEGER NOT NULL,
    doc    TEXT    NOT NULL,
    PRIMARY KEY (server, tool)
) STRICT;
