package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/persona-transfer/runpipeline/gpu/tiny"
	"github.com/persona-transfer/runpipeline/pipelines"
	"github.com/persona-transfer/runpipeline/transforms"
)

// experimentQuantities are of a whole small experiment on the embedded pair, as the command runs it, with
// nothing in its store.
func experimentQuantities() []quantity {
	const some = 32
	return []quantity{
		// Each prompt is continued, scored and probed under every condition. Everything else of an experiment is
		// the same whatever the prompts: calibration texts, the fit, personas, anchors, reading the models. Texts
		// of a unit are side by side, and all of them are in the report.
		{varied: "prompts", work: "whole small experiment", sizes: []int{32, 64, 128, 256}, time: expectation{0, 1}, memory: expectation{0, 1}, open: experiment},
		// Units follow one another; each shares its own work out.
		{varied: "cores", work: fmt.Sprintf("whole small experiment, %d prompts", some), sizes: cores(), time: power(-1), memory: expectation{0, 1},
			open: onCores(func(ctx context.Context) (*job, error) { return experiment(ctx, some) })},
	}
}

// experiment is a run with so many prompts.
func experiment(ctx context.Context, prompts int) (*job, error) {
	personas := map[string]pipelines.Persona{}
	for _, name := range []string{"pirate", "silly"} {
		var p pipelines.Persona
		p.Positive, p.Negative = tiny.PersonaTexts(name, 8, 1)
		personas[name] = p
	}
	list, err := json.Marshal(personas)
	if err != nil {
		return nil, err
	}
	config, err := pipelines.LoadConfig(ctx, "", []string{"persona_datasets=" + string(list), fmt.Sprint("n_test_prompts=", prompts),
		"n_training_samples=200", "folds=2", "lambda_values=[0.001,0.1]", "lambda_unit=\"relative\"",
		`conditions=["none","ridge","shuffled_pairs"]`, "alpha_values=[0.5]", `alpha_unit="residual"`, "n_seeds=1", "max_new_tokens=16"})
	if err != nil {
		return nil, err
	}
	e, err := pipelines.NewExperiment(ctx, config, false)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "growth")
	if err != nil {
		return nil, err
	}
	transforms.CloseModels() // opened again with the threads that this job may have
	store := filepath.Join(folder, "store")
	return &job{
		run: func(ctx context.Context) error {
			if err := os.RemoveAll(store); err != nil {
				return err
			}
			_, err := e.Run(ctx, pipelines.Options{Cache: store, Runner: "direct"})
			return err
		},
		close: func() {
			transforms.CloseModels()
			os.RemoveAll(folder)
		},
	}, nil
}
