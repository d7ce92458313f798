//go:build !race

package api_test

const slow = false
