// Package storetest is the conformance suite of stores: what every one of them promises, as tests. A store's own tests
// call [Run] with a function that opens it; what is particular to the store (locks, files, full disks) it tests itself.
package storetest
