// Package canary sends secrets and marks through every field that a caller can fill, of every API of the real binary, and
// looks for them in everything that leaves it or stays behind: the log of the process, spans and metrics, records, the
// answers to errors, what the console reads, and the raw files of the database.
package canary
