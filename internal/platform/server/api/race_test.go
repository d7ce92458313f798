//go:build race

package api_test

// The race detector makes SQLite, which is Go here, some twenty times slower.
const slow = true
