package main

// A judge, and a person beside the scorers.
var judgeMutants = []Mutant{
	{Name: "judge/what is missing is the middle", File: "transforms/judge/reply.go",
		Old: `return Answer{Points: math.NaN(), Missing:`, New: `return Answer{Points: 50, Missing:`,
		Wrong: "refusals and failures are scores", Tests: "TestRepliesAreNumbersOrMissing"},
	{Name: "judge/a mean without its mass", File: "transforms/judge/weigh.go",
		Old: `min(max(sum/mass, 0), 100)`, New: `min(max(sum, 0), 100)`,
		Wrong: "what the judge left unsaid lowers the score", Tests: "TestRepliesAreNumbersOrMissing"},
	{Name: "judge/condition after condition", File: "transforms/judge.go",
		Old: `for _, i := range draw.Perm(len(asked)) {`, New: `for i := range draw.Perm(len(asked)) {`,
		Wrong: "a judge that drifts drifts from condition to condition", Tests: "TestConditionsAreAskedAboutInTurn"},
	{Name: "judge/every persona of every text", File: "transforms/judge.go",
		Old: `row.Persona == "" || row.Persona == p.Name`, New: `row.Persona == "" || p.Name != ""`,
		Wrong: "texts of one persona are rated as another's", Tests: "TestJudgementsAreThoseOfTheirRows"},
	{Name: "judge/scores of the next row", File: "transforms/judged.go",
		Old: `judgedText{i, k, p}`, New: `judgedText{i, k + 1, p}`,
		Wrong: "the judge is compared on other texts", Tests: "TestJudgeReportByHand"},
	{Name: "agreement/kappa of plain distances", File: "transforms/trial/agreement.go",
		Old: `observed += w[k] * float64((i-j)*(i-j))`, New: `observed += w[k] * float64(max(i-j, j-i))`,
		Wrong: "kappa is too high", Tests: "TestAgreementIsThatOfOthers"},
	{Name: "agreement/ties in the order of the rows", File: "transforms/trial/agreement.go",
		Old: `out[i] = below + (weight+1)/2`, New: `out[i] = below + 1`,
		Wrong: "equal ratings rank too low", Tests: "TestAgreementIsThatOfOthers|TestWeightsAreRepetitions"},
}
