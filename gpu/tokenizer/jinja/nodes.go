package jinja

// An expr is an expression. eval returns its value.
type expr interface {
	eval(r *run) (value, error)
}

// A stmt is a statement. exec runs it and writes its output to the run.
type stmt interface {
	exec(r *run) (signal, error)
}

// A signal is how a statement ended.
type signal int

const (
	proceed signal = iota
	breakLoop
	continueLoop
)

// Expressions.
type (
	literal   struct{ value value }
	nameExpr  struct{ name string }
	listExpr  struct{ items []expr }
	tupleExpr struct{ items []expr }
	dictExpr  struct{ keys, values []expr }
	unaryExpr struct {
		op string // "+", "-", "not"
		of expr
	}
	binaryExpr struct {
		op          string // "+", "-", "*", "/", "//", "%", "**", "and", "or"
		left, right expr
	}
	concatExpr  struct{ parts []expr }
	compareExpr struct {
		first expr
		ops   []string // "==", "!=", "<", "<=", ">", ">=", "in", "not in"
		rest  []expr
	}
	condExpr struct {
		test, then expr
		otherwise  expr // nil: undefined
		line       int
	}
	attrExpr struct {
		of   expr
		name string
	}
	itemExpr  struct{ of, key expr }
	sliceExpr struct{ of, start, stop, step expr } // bounds may be nil
	callExpr  struct {
		of   expr
		args arguments
	}
	filterExpr struct {
		of   expr // nil: the text of the block it stands for
		name string
		args arguments
	}
	testExpr struct {
		of   expr
		name string
		args arguments
	}
)

// arguments are those of a call, as written.
type arguments struct {
	positional  []expr
	names       []string // of named
	named       []expr
	rest, other expr // *rest, **other; nil if there are none
}

// Statements.
type (
	textStmt   struct{ text string }
	outputStmt struct{ of expr }
	ifStmt     struct {
		tests  []expr
		bodies [][]stmt
		other  []stmt
	}
	forStmt struct {
		target    target
		over      expr
		test      expr // nil if there is none
		recursive bool
		body      *block
		other     *block
	}
	setStmt struct {
		target target
		of     expr
	}
	setBlockStmt struct {
		target target
		filter expr // nil if there is none
		body   *block
	}
	withStmt struct {
		targets []target
		values  []expr
		body    *block
	}
	macroStmt struct {
		name string // "" for a call block
		signature
		body *block
	}
	callStmt struct {
		macro *macroStmt
		call  *callExpr
	}
	generationStmt struct{ macro *macroStmt }
	filterStmt     struct {
		filter expr
		body   *block
	}
	loopStmt struct{ signal signal }
)

// A signature is the parameters of a macro.
type signature struct {
	params   []string
	defaults []expr // of the last parameters
	// Whether the body names these without declaring them.
	usesCaller, usesKwargs, usesVarargs bool
}

// A target is what is assigned to: a name, an attribute of a namespace, or several targets.
type target struct {
	name, attr string
	parts      []target
	tuple      bool
}
