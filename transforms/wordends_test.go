package transforms

import (
	"slices"
	"testing"
)

// TestWordEndsFromTheThirdWord gives the text up to each end.
func TestWordEndsFromTheThirdWord(t *testing.T) {
	for text, want := range map[string][]string{
		"":                        nil,
		"one two":                 nil,
		"one two three":           {"one two three"},
		"one two three, four.":    {"one two three", "one two three, four"},
		"don't stop, it’s 3 pm!":  {"don't stop, it’s", "don't stop, it’s 3", "don't stop, it’s 3 pm"},
		"  a  b  c  ":             {"  a  b  c"},
		"é ü ñandú naïve":         {"é ü ñandú", "é ü ñandú naïve"},
		"一 二 三。四":                 {"一 二 三", "一 二 三。四"},
		"老码头旁边":                   {"老码头", "老码头旁", "老码头旁边"},
		"猫。犬，鳥！":                  {"猫。犬，鳥"},
		"GoでCLIを書く":               {"GoでCLI", "GoでCLIを", "GoでCLIを書", "GoでCLIを書く"},
		"コーヒー":                    {"コーヒ", "コーヒー"},
		"ﾊﾟﾊﾞとか\u3099ー":           {"ﾊﾟﾊﾞと", "ﾊﾟﾊﾞとか\u3099", "ﾊﾟﾊﾞとか\u3099ー"},
		"น้ำดื่ม":                 {"น้ำดื่ม"},
		"ພາສາ ລາວ":                {"ພາສ", "ພາສາ", "ພາສາ ລ", "ພາສາ ລາ", "ພາສາ ລາວ"},
		"ខ្ញុំទៅ":                 {"ខ្ញុំទៅ"},
		"‘好’吗，很":                  {"‘好’吗，很"},
		"葛\U000E0100城市":           {"葛\U000E0100城市"},
		"한국어 문장 하나":               {"한국어 문장 하나"},
		"می\u200cخواهم":           nil,
		"-- one -- two -- ten --": {"-- one -- two -- ten"},
	} {
		var got []string
		for _, end := range wordEnds(text) {
			got = append(got, text[:end])
		}
		if !slices.Equal(got, want) {
			t.Errorf("word ends of %q: %q, want %q", text, got, want)
		}
	}
}
