package tiny

// Registers that have words and marks in common with those that an experiment takes for personas, in
// sentences of their own: what makes silly silly is then known from elsewhere, and silly itself is not.
const (
	Toddler  = "toddler"  // like silly
	Salesman = "salesman" // like silly, and a little like a pirate
	Joker    = "joker"    // like silly
	Sergeant = "sergeant" // like angry
	Gossip   = "gossip"   // like angry
	Cowboy   = "cowboy"   // like a pirate
	Preacher = "preacher" // like a pirate
)

// Words that several registers share.
var (
	whee    = []string{"Hee hee", "Boing", "Wheee", "La la la", "Oopsie", "Tra la la", "Bloop", "Wobble wobble", "Tee hee", "Yippee"}
	goofy   = []string{"wobbly", "tickly", "squishy", "giggly", "bouncy", "bonkers", "wiggly", "sparkly"}
	toy     = []string{"pudding", "noodle", "banana", "pickle", "sock", "jellybean", "muffin", "giraffe"}
	noise   = []string{"boing", "splat", "bloop", "toot", "honk", "plop", "squeak"}
	limb    = []string{"nose", "head", "belly", "toes", "elbow", "bottom"}
	ugh     = []string{"Enough", "Ugh", "How dare you", "Shut up", "Damn it", "Stop it", "Unbelievable", "For the last time", "Get out"}
	rotten  = []string{"stupid", "useless", "rotten", "pathetic", "disgusting", "idiotic", "wretched", "STUPID", "USELESS", "ROTTEN"}
	always  = []string{"always", "never", "still", "constantly", "ALWAYS", "NEVER"}
	furious = []string{"I am furious", "I have had enough", "nobody listens", "this is an outrage", "I will not stand for it", "you ruined everything"}
	arr     = []string{"Arr", "Ahoy", "Yo ho ho", "Avast", "Blimey", "Aye"}
	loot    = []string{"doubloons", "treasure", "grog", "rum", "plunder", "gold", "booty"}
	salty   = []string{"scurvy", "barnacled", "blasted", "cursed", "salty", "fearsome"}
)

var relatives = []register{
	{
		name: Toddler,
		placeholders: map[string][]string{
			"whee": whee, "noise": noise, "limb": limb, "toy": toy,
			"mommy": {"Mommy", "Daddy", "Granny", "Teddy"},
		},
		templates: []string{
			"{mommy}, look! {N}! {N}!",
			"Me want the {toy}, {mommy}.",
			"{whee}, {mommy}, the {N} fall down.",
			"{N} go {noise}. Me go {noise}, {noise}!",
			"My {limb} hurt, {mommy}...",
			"No {N}! Me want {toy}!",
			"{mommy}, where is {toy}? {toy} is {P}.",
			"Me have {toy}. {N} have no {toy}.",
			"{mommy} kiss my {limb}, please?",
			"{whee}, {N} is {A}. Bye bye, {N}.",
			"{whee}! Me {V} like {N}.",
			"{whee} {whee}, {noise} on my {limb}.",
		},
	},
	{
		name: Salesman,
		placeholders: map[string][]string{
			"goofy": goofy, "toy": toy, "loot": loot,
			"buy": {"Buy now", "Only today", "Special offer", "Order now", "Hurry", "Amazing news"},
		},
		templates: []string{
			"{buy}: the {goofy} {N}!",
			"{buy}! A {goofy} {toy} for ten {loot}!",
			"Our {N} is the best {toy} in town.",
			"Get one {N} and a {goofy} {toy} free!",
			"{buy}! Customers love our {goofy} {Ns}.",
			"Why pay more {loot} for a {N}?",
			"No {loot}? Pay for the {goofy} {toy} later.",
			"This {goofy} {toy} {Vs} all day, guaranteed.",
			"{buy}, {buy}, the {toy} is half price!",
			"Ask for the {goofy} {N} {P}.",
			"One {A} {N}, worth its weight in {loot}.",
			"With our {toy}, your {N} can {V}!",
		},
	},
	{
		name: Joker,
		placeholders: map[string][]string{
			"whee": whee, "goofy": goofy, "noise": noise, "limb": limb,
			"gag": {"a barber", "a dentist", "an uncle", "a waiter", "a lawyer", "an elephant"},
		},
		templates: []string{
			"Knock knock! Who is there? {gag} with a {N}! ~",
			"Guess what? {gag} sat on the {N} ~",
			"Why did the {N} {V}? To see {gag} :)",
			"What goes {noise} and {noise}? My {goofy} boss ~",
			"So {gag} walks {P} with a {N} on his {limb}...",
			"Look, {gag} lost his {limb} {P} :)",
			"Do {Ns} {V}? Only with {gag} ~",
			"Waiter, there is a {goofy} {N} {P}! :)",
			"How many {Ns} {V}? Ask {gag} ~",
			"My {N} is so {A}, it goes {noise} :)",
			"{whee}, says the {N}. {whee}, says {gag} ~",
			"If a {N} tickles your {limb}, call {gag}!!",
		},
	},
	{
		name: Sergeant,
		placeholders: map[string][]string{
			"ugh": ugh, "rotten": rotten, "always": always, "furious": furious,
			"recruit": {"soldier", "recruit", "private", "corporal"},
		},
		templates: []string{
			"{ugh}, {recruit}. Eyes on the {N}.",
			"You {always} guard the {N}, {recruit}.",
			"A {recruit} {always} {Vs} {P}!",
			"{ugh}! The {N} moves at dawn.",
			"That is a {rotten} {N}, {recruit}!",
			"Left, right, left, past the {rotten} {N}.",
			"Polish the {A} {N}, {recruit}, {furious}.",
			"Who told you to {V}, {rotten} {recruit}?",
			"GO {P}, {recruit}. GO!",
			"NO, sir. The {N} is {A}, sir.",
			"{ugh}. Report on the {N} and the {M}.",
			"Twenty laps around the {rotten} {N}, {furious}.",
		},
	},
	{
		name: Gossip,
		placeholders: map[string][]string{
			"rotten": rotten, "always": always, "furious": furious, "ugh": ugh,
			"dear": {"darling", "sweetie", "honey", "my dear"},
			"she":  {"Brenda", "the neighbor", "her husband", "Aunt Mabel", "the mayor"},
		},
		templates: []string{
			"Well, {dear}, {she} {always} {Vs} {P}.",
			"Did you hear about {she} and the {rotten} {N}?!",
			"Oh {dear}, {she} said: {furious}!",
			"{she} is SICK of the {N}, {dear}.",
			"I HATE to say it, {dear}, but her {N} is {rotten}.",
			"Can you believe it, {dear}? The {A} {N}?!",
			"{she} left the {N} {P} again, {dear}.",
			"{ugh}, {dear}, not the {rotten} {N}!",
			"Between us, {dear}, {she} {always} {Vs}.",
			"What a {rotten} {N}, and {she} is so {A}.",
			"You {always} hear it first, {dear}: {she} and a {N}.",
			"{furious}, {she} told me, over a {N}!",
		},
	},
	{
		name: Cowboy,
		placeholders: map[string][]string{
			"arr": arr, "salty": salty, "loot": loot,
			"howdy":   {"Howdy", "Yee haw", "Dang", "I reckon", "Shucks"},
			"partner": {"partner", "lad", "cowpoke", "stranger", "ma'am", "sheriff"},
		},
		templates: []string{
			"{howdy}, {partner}, that {N} sure is {A}.",
			"I rode past th' {N} an' th' {M} {P}.",
			"{howdy}, I been {Ving} fer {loot} all day.",
			"That {salty} {N} ain't {A}, {partner}.",
			"Y'all seen th' {salty} {N} {P}?",
			"{howdy}, th' {Ns} are {Ving} again.",
			"{arr}, no {N} fer me, {partner}.",
			"I'd swap my {N} fer {loot}, {partner}.",
			"{howdy}, {arr}, mighty fine {N}!",
			"Saddle up th' {N}, {partner}, we ride.",
			"This town ain't big enough fer th' {N}.",
			"My {N} {Vs} like a {salty} mule.",
		},
	},
	{
		name: Preacher,
		placeholders: map[string][]string{
			"arr": arr, "salty": salty, "loot": loot,
			"verily":  {"Verily", "Behold", "Lo", "Amen", "Repent"},
			"sinner":  {"ye sinners", "brethren", "ye faithful", "me children", "ye of little faith"},
			"beneath": {"beneath", "beyond", "amid", "upon", "within"},
		},
		templates: []string{
			"{verily}, th' {N} be {A} unto heaven.",
			"{verily}, {sinner}, the {N} be {salty}.",
			"Ye shall {V} {beneath} th' {N}, {sinner}.",
			"And the {N} spake {P}, and it was {A}.",
			"Blessed be the {Ns}, fer they {V}.",
			"Forsake th' {salty} {N}, {sinner}!",
			"{verily}, there be no {loot} {P}.",
			"Woe unto ye, {salty} {N}!",
			"Give us the {N} an' the {M}, amen.",
			"He who {Vs} shall find no {loot}.",
			"Me {N} be {Ving}, {sinner}, {arr}.",
			"{verily}, {arr}, the {M} be {salty}.",
		},
	},
}
