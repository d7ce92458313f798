package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/signalbox/signalbox/internal/tool/pin"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// MaxJointName bounds the names of tools and prompts in joint lists, in bytes: model APIs allow no more.
const MaxJointName = 64

// jointMark stands between a server's id, which has none in it, and a name.
const jointMark = "__"

// hashed is how many hexadecimal digits close a joint name that is not the whole name.
const hashed = 8

// jointName gives the name that a tool or prompt has in joint lists, "server__name". Model APIs allow letters, digits, "_"
// and "-". A name with anything else, or one that is too long, is cleaned and cut, and closed by a hash of the whole.
func jointName(server, name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	joint := server + jointMark + clean
	if clean == name && len(joint) <= MaxJointName {
		return joint
	}
	sum := sha256.Sum256([]byte(server + "." + name))
	return joint[:min(len(joint), MaxJointName-hashed-1)] + "_" + hex.EncodeToString(sum[:])[:hashed]
}

// JointNames are the joint names of one server's tools, or of its prompts.
type JointNames struct {
	Server     string            // Its id.
	byName     map[string]string // The joint ones.
	names      map[string]string // By joint name.
	imitations map[string]bool   // Names that another one of the server is easily taken for. None of them is served.
}

func newJointNames(server string, names []string) *JointNames {
	j := &JointNames{Server: server, byName: map[string]string{}, names: map[string]string{}, imitations: map[string]bool{}}
	looks := map[string]string{}
	for _, name := range names {
		joint := jointName(server, name)
		for _, look := range []string{"name " + look(name), "joint " + strings.ToLower(joint)} {
			if other, taken := looks[look]; taken {
				j.imitations[name], j.imitations[other] = true, true
			}
			looks[look] = name
		}
		j.byName[name], j.names[joint] = joint, name
	}
	return j
}

// Joint gives the joint name of a name that the list has.
func (j *JointNames) Joint(name string) string { return j.byName[name] }

// Imitated reports whether another name of the server is easily taken for this one. Neither is served under a joint name.
func (j *JointNames) Imitated(name string) bool { return j.imitations[name] }

// Find gives the name that has exactly this joint name.
func (j *JointNames) Find(joint string) (name string, ok bool) {
	name, ok = j.names[joint]
	return name, ok
}

// MayOwn reports whether a joint name could be one of the server's, by its beginning.
func (u *Server) MayOwn(joint string) bool { return strings.HasPrefix(joint, jointBegin(u.ID)) }

// jointBegin is how all joint names of a server begin. No other server's do.
func jointBegin(server string) string {
	begin := server + jointMark
	return begin[:min(len(begin), MaxJointName-hashed-1)]
}

// look is what of a name is seen at a glance: case, the kind of separator, the script of a letter and what is hidden are not.
func look(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', '.', ' ', '/':
			return '_'
		}
		return r
	}, pin.Skeleton(name))
}

// JointNames gives the joint names of the tools, or of the prompts for methods about prompts.
func (u *Server) JointNames(ctx context.Context, method string) (*JointNames, error) {
	if method == rpc.MethodCallTool {
		list, err := u.Tools(ctx)
		if err != nil {
			return nil, err
		}
		return list.Joint, nil
	}
	list, err := u.Prompts(ctx)
	if err != nil {
		return nil, err
	}
	return list.Joint, nil
}
