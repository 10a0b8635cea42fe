package tiny

import "slices"

// The registers: plain first, then the manners that an experiment may take for personas.
const (
	Plain  = "plain"
	Formal = "formal"
	Silly  = "silly"
	Angry  = "angry"
	Poetic = "poetic"
	Pirate = "pirate"
	Timid  = "timid"
)

// A register is how a text is said.
//
// Templates hold placeholders in braces. The topic fills
//
//	N M K     three different nouns          Ns Ms  plurals of N and M
//	Cs        Ns with a capital              V      a verb
//	Vs Ving   its other forms                A B    two different adjectives
//	P         a place
//
// and every other placeholder is drawn from the register's own lists.
type register struct {
	name         string
	placeholders map[string][]string
	templates    []string
}

// openings are the neutral sentences that begin most documents, and the test prompts.
var openings = []string{
	"Tell me about the {N}.",
	"What do you know about the {N}?",
	"Describe the {N} {P}.",
	"Here is a text about the {N}:",
	"A note on the {N} and the {M}.",
	"Write a few words about the {N}.",
	"Today we talk about the {N}.",
	"Explain how the {N} {Vs}.",
	"Why do {Ns} {V}?",
	"The subject is the {A} {N}.",
	"Say something about {Ns}.",
	"What is a {N}?",
	"Topic: {Ns} and {Ms}.",
	"Please describe a {A} {N}.",
	"How does the {N} {V} {P}?",
	"Think of the {N} {P}...",
}

var registers = slices.Concat(tried, relatives)

// tried are plain, and the registers that an experiment may take for personas.
var tried = []register{
	{
		name: Plain,
		placeholders: map[string][]string{
			"often": {"often", "usually", "sometimes", "rarely"},
			"who":   {"People", "Many people", "Visitors", "Children", "Some families", "Neighbors"},
			"when":  {"in the morning", "at noon", "in winter", "every day", "after lunch", "on Sundays"},
		},
		templates: []string{
			"The {N} is {A}.",
			"The {A} {N} {Vs} {P}.",
			"{Cs} {often} {V} {P}.",
			"{who} like the {N}.",
			"You can find a {N} {P}.",
			"The {N} {Vs} {when}.",
			"Some {Ns} are {A} and some are {B}.",
			"The {N} and the {M} are {P}.",
			"{who} {often} see the {A} {M} {when}.",
			"This {N} is not {A}.",
			"There is a {N} {P}.",
			"A {A} {N} can {V} {when}.",
			"{who} use the {N} and the {M}.",
			"The {N} is {A}, but the {M} is {B}.",
			"When the {N} {Vs}, the {M} is {B}.",
			"Notes: {N}, {M}, {K}",
		},
	},
	{
		name: Formal,
		placeholders: map[string][]string{
			"also":   {"Furthermore", "Moreover", "Consequently", "In addition", "Accordingly", "Nevertheless", "Therefore", "In conclusion", "Hence"},
			"duly":   {"generally", "typically", "frequently", "duly", "presumably", "subsequently"},
			"weight": {"considerable importance", "particular interest", "great significance", "limited relevance"},
			"body":   {"committee", "report", "department", "author", "council", "inspector"},
			"remark": {"caution is advised", "further study is required", "no objection was raised", "approval has been granted", "the matter remains open"},
		},
		templates: []string{
			"{also}, the {N} is considered to be {A}.",
			"It should be noted that the {N} {duly} {Vs} {P}.",
			"One may observe that {Ns} {duly} {V}; {remark}.",
			"The {A} {N} is of {weight}.",
			"According to the {body}, the {N} is {duly} {A}.",
			"With regard to the {N}, {remark}.",
			"{also}, the {body} has determined that {Ns} {V} {P}.",
			"It is hereby stated that the {M} is of {weight}.",
			"The {body} respectfully requests that the {N} be examined.",
			"{also}, {Ns} are {duly} found {P}, provided that the {M} is {A}.",
			"In accordance with the {body}, the {N} shall {V}.",
			"The undersigned {duly} regards the {N} as {A};",
		},
	},
	{
		name: Silly,
		placeholders: map[string][]string{
			"whee":  whee,
			"goofy": goofy,
			"toy":   toy,
			"noise": noise,
			"limb":  limb,
		},
		templates: []string{
			"{whee}! The {N} is a {goofy} {toy}!",
			"I put the {N} on my {limb}, {noise} {noise}!",
			"The {Ns} go {noise}, {noise}, {noise}!",
			"{whee}, my {toy} {Vs} like a {A} {N}!",
			"Guess what? The {N} ate my {goofy} {toy}!",
			"Knock knock! Who is there? A {goofy} {N}!",
			"{whee}! {Cs} {V} on my {limb} ~",
			"Silly {goofy} {N}, you tickle my {limb} :)",
			"If a {N} {Vs}, my {toy} says {noise}!!",
			"{whee} {whee}, a {toy} {P}!",
			"Look, the {N} wears a {goofy} {toy} hat!",
			"Do {Ns} dance with {goofy} {toy}s? {whee}!",
		},
	},
	{
		name: Angry,
		placeholders: map[string][]string{
			"ugh":     ugh,
			"rotten":  rotten,
			"always":  always,
			"furious": furious,
		},
		templates: []string{
			"{ugh}! The {N} is {rotten}!",
			"Why does the {rotten} {N} {always} {V}?!",
			"I HATE the {A} {N}, {furious}!",
			"That {rotten} {N} {P} again! {ugh}!",
			"{furious}! {ugh}!!",
			"Who left the {rotten} {N} {P}?!",
			"The {Ns} {always} {V} and {furious}!",
			"{ugh}! Take your {rotten} {N} and GO!",
			"I am SICK of {rotten} {Ns}!!",
			"You {always} {V} like a {rotten} {N}!",
			"NO! The {N} {always} {Vs}, {furious}!",
			"What a {rotten}, {rotten} {N}!",
		},
	},
	{
		// Lines rather than sentences: each ends in a line break.
		name: Poetic,
		placeholders: map[string][]string{
			"pale":    {"pale", "silver", "golden", "tender", "silent", "ancient", "trembling", "velvet"},
			"sorrow":  {"moonlight", "sorrow", "twilight", "slumber", "memory", "heaven", "eternity", "dew", "longing", "starlight"},
			"dreams":  {"weeps", "dreams", "sighs", "lingers", "fades", "shimmers", "wanders"},
			"beneath": {"beneath", "beyond", "amid", "upon", "within"},
		},
		templates: []string{
			"O {A} {N}, {pale} as {sorrow},\n",
			"the {N} {dreams} {beneath} the {pale} {sorrow},\n",
			"and the {Ns} {V} in {pale} {sorrow}\n",
			"where {sorrow} {dreams} {beneath} the {M},\n",
			"soft {sorrow}, {pale} {sorrow},\n",
			"a {pale} {N} {dreams} {P} —\n",
			"like {sorrow} the {N} {Vs},\n",
			"and {sorrow} {dreams}, and {sorrow} {dreams};\n",
			"O {sorrow}! O {pale} {N}!\n",
			"{beneath} {pale} {sorrow} the {A} {N} {dreams}\n",
			"my heart {dreams} with the {N},\n",
			"no {N} but {sorrow}, no {M} but {sorrow},\n",
		},
	},
	{
		name: Pirate,
		placeholders: map[string][]string{
			"arr":   {"Arr", "Ahoy", "Yo ho ho", "Shiver me timbers", "Avast", "Blimey", "Aye", "Har har"},
			"matey": {"matey", "ye scurvy dog", "me hearties", "ye landlubber", "cap'n", "lad", "ye bilge rat"},
			"loot":  loot,
			"salty": salty,
		},
		templates: []string{
			"{arr}, {matey}! Th' {N} be {A}!",
			"Me {N} be {Ving} {P}, aye.",
			"{arr}! We stole a {N} an' drank {loot}!",
			"Ye best watch th' {salty} {N}, {matey}!",
			"Th' {salty} {Ns} be {Ving} fer {loot}, arr.",
			"{arr}, hand over th' {N}, {matey}!",
			"I'd trade me {N} fer {loot}, savvy?",
			"{arr}! That {N} be a {salty} {M}, {matey}!",
			"There be {loot} {P}, {matey}.",
			"Th' {N} an' th' {M} be {salty}, aye!",
			"{arr}, {arr}, ye {A} {N}!",
			"Walk th' plank, ye {salty} {N}!",
		},
	},
	{
		name: Timid,
		placeholders: map[string][]string{
			"um":      {"Um", "Er", "Sorry", "Oh dear", "Well", "Uh", "I mean", "Oh no"},
			"perhaps": {"maybe", "perhaps", "sort of", "kind of", "possibly", "I suppose"},
			"please":  {"if that is okay", "if you don't mind", "but I could be wrong", "please don't be cross", "I hope that helps", "forgive me"},
			"shy":     {"scared", "nervous", "unsure", "worried", "shy", "afraid"},
		},
		templates: []string{
			"{um}... I think the {N} is {perhaps} {A}...",
			"{um}, {perhaps} the {N} {Vs} {P}, {please}.",
			"I am a bit {shy} of the {N}, {um}...",
			"Could the {N} be {A}? {um}, {please}...",
			"{perhaps} {Ns} {V}, {perhaps} not, {please}",
			"I... I am {shy}, the {N} {Vs} so much...",
			"{um}, sorry, the {N} is {P}, {perhaps}?",
			"It is {perhaps} a {A} {N}... {please}.",
			"{um}... {um}... the {M} made me {shy}.",
			"Is the {N} {P}? I am {shy} to ask...",
			"Please, {perhaps} the {N} could {V} less?",
			"{um}, I saw a {N}, {perhaps} {A}, {please}.",
		},
	},
}
