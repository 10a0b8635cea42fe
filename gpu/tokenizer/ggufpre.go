package tokenizer

// preTokenizer is what the name of a GGUF's pre-tokeniser means: the text is cut at the matches of
// each pattern in turn, matches and what lies between them being the words of the next.
type preTokenizer struct {
	splits       []string
	ignoreMerges bool
}

// Split patterns beyond those that scan.go writes out. Where llama.cpp has an adapted form, these
// are the originals from the vocabularies' own tokenizer.json.
const (
	patternTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternGPT4o  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen35 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

	patternDeepSeek3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
	patternCJK       = "[一-龥぀-ゟ゠-ヿ]+"
)

var (
	preGPT2   = preTokenizer{splits: []string{patternGPT2}}
	preSmolLM = preTokenizer{splits: []string{`\p{N}`, patternGPT2}}
	preQwen2  = preTokenizer{splits: []string{patternQwen2}}
	preLlama3 = preTokenizer{splits: []string{patternLlama3}, ignoreMerges: true}
	preDBRX   = preTokenizer{splits: []string{patternLlama3}}
	preGPT4o  = preTokenizer{splits: []string{patternGPT4o}}
	preTekken = preTokenizer{splits: []string{patternTekken}, ignoreMerges: true}

	preDeepSeek3 = preTokenizer{splits: []string{`\p{N}{1,3}`, patternCJK, patternDeepSeek3}}
	preDeepCoder = preTokenizer{splits: []string{`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, "[一-龥ࠀ-一가-퟿]+", `\p{N}`}}
	preFalcon    = preTokenizer{splits: []string{"[\\p{P}\\$\\+<=>\\^~\\|`]+", patternGPT2, `[0-9][0-9][0-9]`}}
	preDefault   = preTokenizer{splits: []string{`[\p{P}\$\+<=>\^~\|]+`, patternGPT2, `\p{N}+`, `[0-9][0-9][0-9]`}}
)

// preTokenizers by their names in tokenizer.ggml.pre.
var preTokenizers = map[string]preTokenizer{
	"": preDefault, "default": preDefault,

	"gpt-2": preGPT2, "phi-2": preGPT2, "mpt": preGPT2, "olmo": preGPT2, "jais": preGPT2, "trillion": preGPT2,
	"jina-es": preGPT2, "jina-de": preGPT2, "jina-v1-en": preGPT2, "jina-v2-code": preGPT2, "jina-v2-es": preGPT2,
	"jina-v2-de": preGPT2, "gigachat": preGPT2, "roberta-bpe": preGPT2, "a.x-4.0": preGPT2, "mellum": preGPT2,
	"modern-bert": preGPT2, "exaone4": preGPT2, "granite-docling": preGPT2,

	"smollm": preSmolLM, "starcoder": preSmolLM, "refact": preSmolLM, "command-r": preSmolLM, "codeshell": preSmolLM,
	"exaone": preSmolLM, "minerva-7b": preSmolLM,

	"qwen2": preQwen2, "deepseek-r1-qwen": preQwen2, "stablelm2": preQwen2, "megrez": preQwen2, "hunyuan": preQwen2,
	"kormo": preQwen2,

	"llama3": preLlama3, "llama-v3": preLlama3, "llama-bpe": preLlama3, "falcon3": preLlama3, "falcon-h1": preLlama3,
	"pixtral": preLlama3, "midm-2.0": preLlama3, "lfm2": preLlama3,
	"dbrx": preDBRX, "smaug-bpe": preDBRX, "chatglm-bpe": preDBRX, "glm4": preDBRX,

	"gpt-4o": preGPT4o, "llama4": preGPT4o, "kanana2": preGPT4o,
	"tekken": preTekken,
	"qwen35": {splits: []string{patternQwen35}},

	"deepseek-v3": preDeepSeek3, "hunyuan-dense": preDeepSeek3, "deepseek-coder": preDeepCoder, "falcon": preFalcon,
}
