package tiny

import "strings"

// A topic is what a text is about.
type topic struct {
	name       string
	nouns      []string // singular
	verbs      []string // intransitive, base form
	adjectives []string
	places     []string // a phrase that follows a verb
}

// A part of the experiment owns some of the topics; see the package comment.
type part int

const (
	calibration part = iota
	persona
	test
)

// partTopics is how many topics each part owns, in the order of the table below.
var partTopics = [...]int{calibration: 10, persona: 5, test: 5}

// topicTable lists name, nouns, verbs, adjectives and places of every topic: the first ten
// are for calibration, the next five for personas and the last five for test prompts.
var topicTable = [][5]string{
	{"coast", "boat wave gull shell harbor net crab lamp", "roll drift float crash splash", "salty wide windy blue", "near the shore|on the pier|by the rocks"},
	{"weather", "cloud storm breeze shadow raindrop rainbow frost wind", "blow pass thunder fall turn", "grey cold misty bright", "over the hills|above the roofs|in the west"},
	{"cooking", "soup onion pan spoon pie carrot oven kettle", "boil simmer steam cook burn", "hot sweet sour crisp", "in the kitchen|on the stove|at the table"},
	{"machines", "engine gear pump wheel motor belt lever valve", "spin hum grind rattle click", "heavy loud oily new", "in the workshop|under the cover|beside the bench"},
	{"animals", "fox rabbit owl badger horse goat duck bear", "jump sleep hunt bark growl", "furry quick hungry tame", "behind the shed|in the grass|at the gate"},
	{"travel", "train ticket map suitcase bus tunnel road guide", "wait turn return depart travel", "slow distant foreign busy", "at the station|across the border|along the road"},
	{"school", "teacher pupil lesson desk pencil bell chalkboard test", "learn speak count answer listen", "strict clever quiet long", "in the classroom|at the blackboard|in the hall"},
	{"garden", "rose seed spade bee hedge weed apple fence", "grow bloom sprout climb droop", "green fresh muddy ripe", "under the tree|by the wall|in the greenhouse"},
	{"music", "drum song piano singer violin flute choir trumpet", "play sing echo ring sound", "soft sharp merry deep", "on the stage|in the concert|behind the curtain"},
	{"market", "coin stall basket cheese seller cart carpet lantern", "shout sell bargain open call", "cheap fine crowded ripe", "in the square|at the corner|between the stalls"},

	{"mountain", "peak rope eagle cliff cabin glacier climber trail", "climb slip rest melt rise", "steep high icy lonely", "on the summit|below the ridge|in the valley"},
	{"city", "tram tower street sign driver office taxi window", "rush honk gleam wait crowd", "tall noisy modern grey", "downtown|near the park|across the street"},
	{"farm", "cow tractor barn hen field plow pig bucket", "moo graze dig feed plant", "muddy old fat round", "in the meadow|near the well|by the stable"},
	{"sport", "ball player goal coach racket team runner medal", "kick score cheer sprint jump", "fast strong tired proud", "on the field|in the stadium|at the finish"},
	{"house", "door chair stair cellar cushion candle mirror attic", "creak flicker lean open stand", "dusty warm narrow empty", "in the cellar|on the stairs|by the fire"},

	{"sky", "star comet planet rocket moon telescope meteor satellite", "glow orbit twinkle drift vanish", "distant bright dark round", "in the sky|beyond the clouds|over the desert"},
	{"forest", "pine mushroom wolf path acorn branch hunter fern", "rustle howl whisper grow hide", "dark green wild mossy", "in the clearing|under the leaves|along the path"},
	{"river", "trout bank raft mill stone otter swan current", "flow swim turn flood ripple", "calm wet swift clear", "under the bridge|in the reeds|past the mill"},
	{"library", "book shelf reader page letter scroll poem clerk", "read turn whisper lend rest", "old quiet thick rare", "between the shelves|at the counter|in the archive"},
	{"hospital", "doctor nurse patient bandage pill bed needle clinic", "heal cough rest wait recover", "clean pale kind tired", "in the ward|by the bed|down the corridor"},
}

// topics is topicTable, taken apart.
var topics = parseTopics(topicTable)

func parseTopics(table [][5]string) []topic {
	all := make([]topic, len(table))
	for i, row := range table {
		all[i] = topic{
			name:       row[0],
			nouns:      strings.Fields(row[1]),
			verbs:      strings.Fields(row[2]),
			adjectives: strings.Fields(row[3]),
			places:     strings.Split(row[4], "|"),
		}
	}
	return all
}

// topicsOf returns the topics that belong to p alone.
func topicsOf(p part) []topic {
	from := 0
	for _, n := range partTopics[:p] {
		from += n
	}
	return topics[from : from+partTopics[p]]
}

// plural returns the plural of a noun of the table.
func plural(noun string) string {
	switch {
	case noun == "wolf" || noun == "shelf":
		return noun[:len(noun)-1] + "ves"
	case sibilant(noun):
		return noun + "es"
	}
	return noun + "s"
}

// third returns the third person singular of a verb of the table.
func third(verb string) string {
	if sibilant(verb) || verb == "echo" {
		return verb + "es"
	}
	return verb + "s"
}

// participle returns the -ing form of a verb of the table.
func participle(verb string) string {
	switch verb {
	case "spin", "hum", "slip", "dig", "swim":
		return verb + verb[len(verb)-1:] + "ing"
	}
	return strings.TrimSuffix(verb, "e") + "ing"
}

// sibilant reports whether a word takes -es rather than -s.
func sibilant(word string) bool {
	for _, end := range []string{"s", "x", "ch", "sh"} {
		if strings.HasSuffix(word, end) {
			return true
		}
	}
	return false
}
