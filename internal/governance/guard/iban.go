package guard

import "strings"

// ibanLengths are the lengths of account numbers by country, as registered (ISO 13616): two letters, two digits each.
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27" +
	"GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27" +
	"MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"

// maxIBAN is the longest text of an account number, with its spaces.
const maxIBAN = 34 + 8

// findIBANs looks at each two capitals with two digits behind them.
func findIBANs(spans []span, t string) []span {
	for i := 0; i+15 <= len(t); i++ {
		if !isDigit(t[i+2]) {
			continue
		}
		if t[i] < 'A' || t[i] > 'Z' || t[i+1] < 'A' || t[i+1] > 'Z' || !isDigit(t[i+3]) || (i > 0 && isWord(t[i-1])) {
			continue
		}
		if to := ibanEnd(t[:min(len(t), i+maxIBAN)], i); to > 0 {
			spans = append(spans, span{i, to, tagIBAN})
			i = to - 1
		}
	}
	return spans
}

// ibanEnd gives the end of the account number that begins at i, 0 if it is none.
func ibanEnd(t string, i int) int {
	want := ibanLength(t[i : i+2])
	compact := make([]byte, 0, 34)
	for ; i < len(t) && len(compact) < want; i++ {
		switch c := t[i]; {
		case isUpperAlnum(c):
			compact = append(compact, c)
		case c != ' ' && c != '-':
			return 0
		}
	}
	if want == 0 || len(compact) < want || (i < len(t) && isWord(t[i])) || mod97(compact) != 1 {
		return 0
	}
	return i
}

func ibanLength(country string) int {
	for i := 0; i < len(ibanLengths); i += 4 {
		if ibanLengths[i:i+2] == country {
			return int(ibanLengths[i+2]-'0')*10 + int(ibanLengths[i+3]-'0')
		}
	}
	return 0
}

// mod97 moves the first four characters to the end, reads letters as 10 to 35, and gives the rest of the division.
func mod97(b []byte) int {
	rest := 0
	for _, c := range strings.Join([]string{string(b[4:]), string(b[:4])}, "") {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest
}
