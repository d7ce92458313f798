package api

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/guard"
)

// mask keeps what somebody wrote by mistake out of answers, which others may log.
var mask = guard.New()

// named is a name in a request, and the field it is in.
type named struct{ field, value string }

// noSecrets refuses names that have a secret in them: they would be kept, and shown to others.
func noSecrets(names ...named) error {
	for _, n := range names {
		if mask.Secret(n.value) {
			return signalbox.Errorf(signalbox.CodeInvalid, "There is a secret where a name belongs.").WithField(n.field).
				WithRemedy("Name what is meant, and change the secret: it has been sent where it does not belong.")
		}
	}
	return nil
}
