package tokenizer

import (
	"fmt"
	"strings"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// The template library knows "X if C else Y" only as a whole expression, while templates in use, such
// as Gemma 3's, have it inside parentheses. plainConditions writes it in a way that the library
// reads everywhere, with the same order of evaluation:
//
//	((C) and [X] or [Y])[0]
//
// Everything else in the template stays as it is.
func plainConditions(source string) string {
	var out strings.Builder
	for {
		open := strings.Index(source, "{")
		if open < 0 || open+1 == len(source) {
			break
		}
		closing := map[byte]string{'{': "}}", '%': "%}", '#': "#}"}[source[open+1]]
		if closing == "" {
			out.WriteString(source[:open+1])
			source = source[open+1:]
			continue
		}
		end := blockEnd(source[open+2:], closing)
		if end < 0 {
			break
		}
		inner := source[open+2 : open+2+end]
		out.WriteString(source[:open+2])
		if closing != "#}" {
			inner = rewriteBlock(inner, closing == "%}")
		}
		out.WriteString(inner + closing)
		source = source[open+2+end+2:]
		if strings.Trim(inner, "-+ \t\r\n") == "raw" && closing == "%}" {
			if k := strings.Index(source, "endraw"); k >= 0 {
				out.WriteString(source[:k])
				source = source[k:]
			}
		}
	}
	out.WriteString(source)
	return out.String()
}

// blockEnd returns where closing stands in text outside of quotes, or -1.
func blockEnd(text, closing string) int {
	for i := 0; i < len(text); i++ {
		if strings.HasPrefix(text[i:], closing) {
			return i
		}
		if closing != "#}" && (text[i] == '\'' || text[i] == '"') {
			i += quoted(text[i:]) - 1
		}
	}
	return -1
}

// quoted returns the length of the text in quotes that text starts with.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}

// rewriteBlock rewrites what stands between the marks of a block: an expression, or a statement.
func rewriteBlock(inner string, statement bool) string {
	if !strings.Contains(inner, "if") {
		return inner
	}
	head := len(inner) - len(strings.TrimLeft(inner, "-+ \t\r\n"))
	tail := len(strings.TrimRight(inner, "-+ \t\r\n"))
	if tail < head {
		return inner
	}
	body := inner[head:tail]
	if !statement {
		return inner[:head] + rewriteExpression(body, true, 0) + inner[tail:]
	}
	word := body[:wordLength(body)]
	return inner[:head] + word + rewriteExpression(body[len(word):], word != "for", 0) + inner[tail:]
}

// maxNesting bounds how deep expressions may be nested; a template beyond that stays as it is.
const maxNesting = 100

// rewriteExpression rewrites the conditions in text, those outside of brackets only if outer: there the
// "if" of a for statement is none.
func rewriteExpression(text string, outer bool, depth int) string {
	if depth > maxNesting || !strings.Contains(text, "if") {
		return text
	}
	var out, part strings.Builder // what is done, and the part since the last separator
	cond, alt := -1, -1           // where the condition and the alternative start in part
	flush := func() {
		p := part.String()
		if cond >= 0 && outer {
			p = condition(p, cond, alt, depth)
		}
		out.WriteString(p)
		part.Reset()
		cond, alt = -1, -1
	}
	for i := 0; i < len(text); {
		n := 1
		switch c := text[i]; {
		case c == '\'' || c == '"':
			n = quoted(text[i:])
		case strings.IndexByte("([{", c) >= 0:
			if n = bracketed(text[i:]); n == 0 { // not closed: the library will say so
				n = len(text) - i
				break
			}
			part.WriteString(text[i:i+1] + rewriteExpression(text[i+1:i+n-1], true, depth+1) + text[i+n-1:i+n])
			i += n
			continue
		case c == ',' || c == ':' || c == '=' && !comparison(text, i):
			flush()
			out.WriteByte(c)
			i++
			continue
		case wordLength(text[i:]) > 0:
			n = wordLength(text[i:])
			switch text[i : i+n] {
			case "if":
				if cond < 0 {
					cond = part.Len()
				}
			case "else":
				if cond >= 0 && alt < 0 {
					alt = part.Len()
				}
			}
		}
		part.WriteString(text[i : i+n])
		i += n
	}
	flush()
	return out.String()
}

// condition rewrites part, whose "if" is at cond and whose "else" is at alt, if it has one.
func condition(part string, cond, alt, depth int) string {
	then, test, other := part[:cond], part[cond+2:], "''"
	if alt >= 0 {
		test, other = part[cond+2:alt], part[alt+4:]
	}
	space := then[:len(then)-len(strings.TrimLeft(then, " \t\r\n"))]
	return fmt.Sprintf("%s((%s) and [%s] or [%s])[0]", space, strings.TrimSpace(test), strings.TrimSpace(then),
		strings.TrimSpace(rewriteExpression(other, true, depth+1)))
}

// bracketed returns the length of the bracketed part that text starts with, 0 if it is not closed.
func bracketed(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\'', '"':
			i += quoted(text[i:]) - 1
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// comparison reports whether the = at i is part of ==, !=, <= or >=.
func comparison(text string, i int) bool {
	return i+1 < len(text) && text[i+1] == '=' || i > 0 && strings.IndexByte("=!<>", text[i-1]) >= 0
}

// wordLength returns the length of the name or number that text starts with.
func wordLength(text string) int {
	i := 0
	for i < len(text) && (text[i] == '_' || text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z' || text[i] >= 0x80) {
		i++
	}
	return i
}

// pythonMethods returns the library's methods with those put right that differ from Python's.
func pythonMethods() exec.Methods {
	all := builtins.Methods
	text := map[string]exec.Method[string]{}
	for _, name := range []string{
		"capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "index", "isalnum",
		"isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle",
		"isupper", "join", "ljust", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind", "rindex", "rjust",
		"rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill",
	} {
		if method, ok := all.Str.Get(name); ok {
			text[name] = method
		}
	}
	text["replace"] = func(self string, _ *exec.Value, arguments *exec.VarArgs) (any, error) {
		var old, new string
		count := -1
		if err := arguments.Take(
			exec.PositionalArgument("old", nil, exec.StringArgument(&old)),
			exec.PositionalArgument("new", nil, exec.StringArgument(&new)),
			exec.PositionalArgument("count", exec.AsValue(-1), exec.IntArgument(&count)),
		); err != nil {
			return nil, exec.ErrInvalidCall(err)
		}
		return strings.Replace(self, old, new, count), nil
	}
	all.Str = exec.NewMethodSet(text)
	return all
}
