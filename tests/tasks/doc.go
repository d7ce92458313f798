// Package tasks puts servers that make tasks of calls behind the real binary: one of the newest version of the protocol, and
// the protocol's own server-everything, which has the tasks of 2025-11-25, over standard input and output and over HTTP.
//
// What the servers were asked is counted by them where they can be made to count; what was recorded is read from the log.
package tasks
