package gpu

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/persona-transfer/runpipeline/gpu/arch"
	"github.com/persona-transfer/runpipeline/gpu/checkpoint"
)

// Examine checks a checkpoint's configuration and tensors as [Open] does, but reads no tensor. It returns
// notes on oddities that do no harm, or an error that lists everything that does not fit.
func Examine(c *checkpoint.Checkpoint) (notes []string, err error) {
	if _, notes, err = examine(c); err != nil {
		return nil, fmt.Errorf("open model %s: %w", c.Name(), err)
	}
	return notes, nil
}

// WeightBytes is about how many bytes the weights of a checkpoint take on a device while it is open there: those of
// the machine's memory, or of the card's own ([Device.OwnMemory]). On "cpu" they stay as they are stored, elsewhere they
// are float32 or bfloat16.
func WeightBytes(c *checkpoint.Checkpoint, device Device) (int, error) {
	config, _, err := examine(c)
	if err != nil {
		return 0, fmt.Errorf("open model %s: %w", c.Name(), err)
	}
	return device.weightBytes(config, c), nil
}

func examine(c *checkpoint.Checkpoint) (*arch.Config, []string, error) {
	config, err := arch.ParseConfig(c.Config())
	if err != nil {
		return nil, nil, err
	}
	if missing := c.MissingShards(); len(missing) > 0 {
		return nil, nil, fmt.Errorf("missing files %s: %w", arch.Some(missing), checkpoint.ErrNotFound)
	}
	if err := config.ReadGeneration(c.File); err != nil {
		return nil, nil, err
	}
	config = config.Fitted(c.Tensors())
	unused, err := config.CheckTensors(c.Tensors())
	if err == nil {
		err = c.CheckTypes(slices.Collect(maps.Keys(config.Tensors())))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w%s", err, quantisedBy(c))
	}
	notes := c.Notes()
	if len(unused) > 0 {
		notes = append(notes, fmt.Sprintf("%d tensors that the model as its configuration describes it does not have are not read: %s", len(unused), arch.Some(unused)))
	}
	return config, notes, nil
}

// quantisedBy says of a model whose weights are not understood that its configuration names a way of
// quantising them, which may be why.
func quantisedBy(c *checkpoint.Checkpoint) string {
	var config struct {
		Quantization struct {
			Method string `json:"quant_method"`
		} `json:"quantization_config"`
	}
	if json.Unmarshal(c.Config(), &config) != nil || config.Quantization.Method == "" {
		return ""
	}
	return fmt.Sprintf(" (its configuration says that its weights are quantised by %.40q, which is not read)", config.Quantization.Method)
}
