// Package config reads the one file that configures Signalbox.
//
// # Concepts
//
//   - [Load] and [Parse] turn a YAML file into a [Config], or into [Problems]: everything that is wrong with the file at
//     once, each with file, line, column, the field, and the remedy. Only text that is not YAML at all gives one problem.
//   - The tables (tables_*.go) list every key with its type, its bounds and one sentence of documentation. The same
//     table reads the file and makes the JSON Schema for editors ([Schema]), so the two cannot differ.
//   - A key that the design names and this version does not build is in the table as such and gives its own message.
//   - `limits` and `budgets` are both lists of [signalbox.Budget]: limits count requests and calls in flight, budgets money,
//     tokens and steps. Amounts are read once their unit is known, whatever order the keys have.
//   - [Alerts] holds the rules in force: those of the file, and the default ones wherever the file has none of the same
//     scope ([DefaultAlertRules]).
//   - Permissions, tool mappings, and rules about risk and approval know their place in the file (Source), as answers name
//     it. What the policy's languages need is asked of [Options]: conditions, and at the end the policy as a whole, which
//     may have [Warning]s.
//   - [Reloadable] says what differs between two configurations, and whether a running process can take the second one.
//   - [Secret] and [Endpoint] are values that must not be seen. They print as "[secret]" in every way Go can print.
//   - [Default] is the configuration of the quickstart, made from a file like any other.
//
// # Format
//
// One YAML 1.2 document in UTF-8 (a byte order mark is allowed) of at most [MaxFileBytes]. Anchors, aliases, merge keys
// and tags are refused: every value has one place, and no file can expand into a larger one. A key that occurs twice is
// an error. A section without a value ("tenants:" with everything commented out) is the same as no section; a scalar
// without a value is an error. Numbers and truth values where text is expected must be quoted.
//
// In values, never in keys, ${NAME} and ${NAME:-default} stand for an environment variable and $$ for one $. They are
// replaced after the YAML is parsed, so that no variable can change the structure, and what a variable contains is not
// replaced again. ${NAME} demands that the variable is set; the default counts when it is not set or empty.
//
// Files of Cedar rules, at most [MaxCedarBytes] each, and OpenAPI documents, at most [MaxOpenAPIBytes], are found from the
// folder of the configuration and are part of it. A document in YAML is read under the same rules, without variables.
//
// # Invariants
//
//   - Parse is a pure function of its arguments, Options.ReadFile among them, and never panics.
//   - No problem, and no way to print a Config, shows a secret or the content of an environment variable.
//   - A Config that Parse returns has no dangling reference and every default filled in.
//   - Prices, budgets and thresholds are read from the digits of the file, never through a float.
package config
