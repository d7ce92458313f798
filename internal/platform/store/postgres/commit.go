package postgres

import "errors"

// ErrFenced marks the error of a replica that was declared dead: nothing it does is committed any more.
var ErrFenced = errors.New("this replica is fenced")
