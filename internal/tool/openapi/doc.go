// Package openapi makes tools of the operations that an OpenAPI document describes, and requests of calls of them.
//
// # Concepts
//
// [Read] compiles a document, 3.0 or 3.1, into an [API]: one [Tool] for each operation that can be built, and warnings
// that say what could not be and why. A tool has an entry for lists of tools (name, description, schemas, annotations),
// a mapping for the policy (an operation that follows from the method, and the path as the resource), and knows how to
// check arguments, to make the request ([Tool.Request]) and to put the answer into a result ([Tool.Result]). Nothing
// here opens a connection or reads a file.
//
// # Names
//
// A tool is called by its operationId, else by method and path, in the characters of [MaxName] that all clients take.
// Two operations that come out alike are an error. Arguments are called as the parameters are; where two of different
// places have one name, or names that differ in case alone, those after the first get their place in front
// ("query_id"). The body is the argument "body", or "request_body" where a parameter is called that.
//
// # What is built
//
// Parameters in path (style simple), query (form, spaceDelimited, pipeDelimited, deepObject, and content of JSON) and
// headers (simple) whose values are scalars, lists of scalars, or objects of scalars for deepObject; bodies of JSON. What is
// not built is left out with a warning: a parameter that need not be given by itself, else the whole operation. Schemas
// become JSON Schema 2020-12: references lead to $defs, and what 3.0 says in its own way is said in the usual one.
//
// What leads out of the document (a $ref to another file or address) is an error, and nothing is ever fetched.
//
// # Invariants
//
//   - A call is one request, and its arguments have passed the schema that the list shows.
//   - The path that is sent is the one that [signalbox.PathTemplate] gives the policy: an argument stays in its segment.
//   - Headers and parameters that the configuration sets can not be given by a caller.
//   - An answer of 300 or more is an error of the tool, with its status and as much of its body as fits.
package openapi
