package seal

import (
	"errors"

	"github.com/signalbox/signalbox"
)

// bytesContext begins what is authenticated with sealed bytes. No record's begins like that: those begin with the id of a
// call, or with an empty line.
const bytesContext = "signalbox sealed bytes v1\n"

var errMoved = errors.New("the sealed bytes do not belong here, or were changed")

// SealBytes encrypts bytes that are kept outside of the log under the key of a data subject, so that the subject's erasure
// takes them too; the subject "" is the tenant itself. What is in aad is authenticated with them, and the tenant: they
// can not be opened in another place. The effects carry the keys that are not known to be durable yet; they belong into
// the record with which the bytes are stored, and may be none.
func (v *Vault) SealBytes(tenant, subject string, aad, plain []byte) (signalbox.Sealed, []signalbox.Effect, error) {
	s := v.sealer(tenant, subject)
	if s.err != nil {
		return signalbox.Sealed{}, nil, unsealable(s.err)
	}
	data, err := lock(s.aead, v.options.Random, plain, bytesData(tenant, aad))
	if err != nil {
		return signalbox.Sealed{}, nil, unsealable(err)
	}
	return signalbox.Sealed{Key: s.id, Data: data}, v.effects(s), nil
}

func unsealable(cause error) error {
	return signalbox.Errorf(signalbox.CodeInternal, "What is about people can not be sealed.").
		WithRemedy("Report this as a bug; the log has the cause.").WithCause(cause)
}

// OpenBytes gives what SealBytes has sealed, or says why that can not be read: the subject was erased, or there is no
// master key at hand. It fails with code internal where the bytes were changed or moved, and with the store's error where
// that can not be asked for the key.
func (v *Vault) OpenBytes(tenant string, s signalbox.Sealed, aad []byte) ([]byte, signalbox.ContentState, error) {
	o, err := v.opener(s.Key)
	if err != nil || o.state != signalbox.ContentOpen {
		return nil, state(o), err
	}
	plain, err := unlock(o.aead, s.Data, bytesData(tenant, aad))
	if err != nil || o.tenant != tenant {
		return nil, signalbox.ContentSealed, signalbox.Errorf(signalbox.CodeInternal, "The sealed part can not be read.").
			WithRemedy("Restore the database from a backup: it was changed.").WithCause(errMoved)
	}
	return plain, signalbox.ContentOpen, nil
}

func state(o *opener) signalbox.ContentState {
	if o == nil {
		return signalbox.ContentSealed
	}
	return o.state
}

func bytesData(tenant string, aad []byte) []byte {
	return append([]byte(bytesContext+tenant+"\n"), aad...)
}
