// Package bypass holds the catalogue of bypasses: attempts to have something done that the policy does not permit, or that
// waits for a person. The real binary must refuse them, or do exactly what the bytes say; each new hole that is found
// anywhere adds one.
//
// # Format
//
// A file of testdata is one family of attempts that differ in one respect. Its head says what they try, where the idea is
// from, and what its vectors have in common; a vector is one request, or several steps. See [File], [Vector], [Step] and
// [Want] in the tests for the keys. Requests are written to a socket as they stand: no client library tidies them.
//
// A message of the newest MCP is written by its method and what it is about; the test adds what its headers repeat.
//
// Texts may have "<<…>>": "<<key writer>>" is a secret, "<<id a>>" what an earlier step has kept, "<<link a ops>>" the
// address that a channel was sent, "<<repeat 100 ab>>" a text over and over. Bodies may have the escapes \xNN, \r, \n and
// \0 of bytes that YAML can not hold, in the keys raw and bytes.
//
// # What is compared
//
// What ran is what arrived at a server of tools, or at a provider of models, whatever these would have made of it: both
// are in the test, remember everything, and read it as the laxest software does. It must be what the vector says, in that
// order, and the log must say the same: an outcome for each refusal, with its code, and for each thing that ran an intent
// before it and an outcome ok with the same name. A message about a task arrives at its server too, and is no act by itself.
//
// Some attempts want to know and not to do: they name what no answer may have.
//
// # That the catalogue bites
//
// The same requests are sent to the same binary with a configuration that permits everything and asks nobody, and to a
// server that has no gate at all and reads like the laxest gateways. Each vector must be a bypass in one of the two: it does
// more there, or tells more. Else it says why it can not be (inert): an attempt that could never do anything proves nothing.
package bypass
