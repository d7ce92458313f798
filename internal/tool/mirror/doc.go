// Package mirror knows which arguments of a tool are repeated in HTTP headers, for those between client and server who do not
// read bodies.
//
// # Format
//
// A property of a tool's input schema names its header by "x-mcp-header": with {"region": {"type": "string", "x-mcp-header":
// "Region"}} the argument {"region": "eu"} comes with the header "Mcp-Param-Region: eu". The property is text, integer or boolean, and reached
// from the root through "properties" alone. What can not stand in a header as it is, is written as "=?base64?…?=". An argument that
// is absent or null has no header.
//
// # Invariants
//
//   - A schema with an annotation that breaks a rule of the protocol is refused as a whole: nobody can tell which headers its
//     calls have.
//   - Header and argument say the same, compared after decoding, integers as numbers. Everything else is an error of [Check].
package mirror
