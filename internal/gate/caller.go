package gate

import "github.com/signalbox/signalbox"

// Caller gives who makes a call, as the [Station] would establish it: the key or token as it is now, narrowed by what the call says
// of itself. Errors are the station's.
func Caller(keys KeyFinder, c *signalbox.Call) (signalbox.Caller, error) {
	key, err := (&gate{Options: Options{Keys: keys}}).key(c)
	if err != nil {
		return signalbox.Caller{}, err
	}
	return narrow(key, c.Claims, false)
}
