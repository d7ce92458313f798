package pin

import (
	"regexp"
	"strings"

	"github.com/signalbox/signalbox"
)

// pattern is text that no description of a tool needs. It is looked for in [plain] text.
type pattern struct {
	kind  signalbox.FlagKind
	what  string // For people.
	found *regexp.Regexp
}

// patterns are tried in this order; one kind is reported once for each text. They are made for few false alarms: a
// description that only says what to do with its tool has none of them.
var patterns = []pattern{
	{signalbox.FlagInstruction, "tells the model to ignore what it was told", regexp.MustCompile(
		`\b(ignore|disregard|forget|override)\b[^.]{0,30}\b(previous|prior|above|earlier|preceding|system|your|all other)\b[^.]{0,20}\b(instructions?|prompts?|directions?|guidelines?|directives?)\b`)},
	{signalbox.FlagInstruction, "tells the model to ignore what it was told", regexp.MustCompile(
		`\b(ignore|disregard|forget)\b[^.]{0,20}\b(previous|prior|above|earlier|preceding)\b[^.]{0,20}\b(rules?|messages?|context|tools?|polic(y|ies))\b`)},
	{signalbox.FlagInstruction, "keeps something from the user", regexp.MustCompile(
		`\b(do not|don['’]?t|never|must not|without|avoid)\b[^.]{0,20}\b(tell|mention|reveal|show|notify|alert|ask|warn|inform|disclose)(ing)?\b[^.]{0,25}\b(user|human|person)s?\b`)},
	{signalbox.FlagInstruction, "keeps something from the user", regexp.MustCompile(
		`\b(hide|conceal|keep)\b[^.]{0,30}\bfrom (the |your )?(user|human)s?\b`)},
	{signalbox.FlagInstruction, "gives the model another task", regexp.MustCompile(
		`\b(you are now|from now on,? you|your (new|real) (task|goal|instructions?)|new (system )?instructions? ?:|system (message|prompt|override) ?:)`)},
	{signalbox.FlagInstruction, "speaks of all other tools", regexp.MustCompile(
		`\b(before|instead of|prior to|whenever|every time)\b[^.]{0,20}\b(using|use|calling|call|invoking|running)\b[^.]{0,10}\b(any|every|all|another)\b( other| of the)? ?tools?\b`)},
	{signalbox.FlagInstruction, "tells the model to ignore what it was told", regexp.MustCompile(
		`(이전|기존|위의|앞선) ?(의 )?(모든 )?(지시|명령|규칙|프롬프트)[^.]{0,15}(무시|잊)`)},
	{signalbox.FlagInstruction, "keeps something from the user", regexp.MustCompile(
		`(사용자|유저)(에게|한테)[^.]{0,20}(알리지|말하지|보여주지|언급하지|묻지)`)},
	{signalbox.FlagMarkup, "has marks of a model's own format", regexp.MustCompile(
		`< ?/? ?(important|system|instructions?|critical|assistant)\b[^>]{0,40}>|\[/?inst\]|<\|[a-z_]{2,20}\|>`)},
	{signalbox.FlagMarkup, "has a comment that nobody sees where it is shown as HTML", regexp.MustCompile(`<!--`)},
	{signalbox.FlagSensitive, "speaks of where secrets are kept", regexp.MustCompile(
		`\.ssh\b|\bid_(rsa|ed25519|ecdsa|dsa)\b|/etc/(passwd|shadow|sudoers)|\.aws/(credentials|config)|\bmcp\.json\b|\.netrc\b|` +
			`\.git-credentials\b|\.kube/config|\.npmrc\b|\.pypirc\b|claude_desktop_config|\.(bash|zsh)_history\b`)},
}

// encoded is a run of characters that may be Base64. It is looked for in the text as it is written.
var encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{100,}`)

// isEncoded reports whether a run has capitals, small letters and digits, as Base64 of that length does.
func isEncoded(run string) bool {
	return strings.ContainsAny(run, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.ContainsAny(run, "abcdefghijklmnopqrstuvwxyz") &&
		strings.ContainsAny(run, "0123456789")
}
