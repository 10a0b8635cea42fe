package gpu

import "regexp"

// recordedDevice is how recipes have a device that is behind a plugin.
var recordedDevice = regexp.MustCompile(`^(xla-cpu|cuda)/(float32|bfloat16)/([a-z0-9-]{1,99})\+([a-z0-9._-]{1,99})(?:\+(flags-[0-9a-f]{8}))?$`)

// RecordedDevice reads the text of a device behind a plugin, as recipes have it; not ok for any other text, names of
// devices among them. It may be of another machine: nothing is opened, and no model runs on it.
func RecordedDevice(text string) (d Device, ok bool) {
	m := recordedDevice.FindStringSubmatch(text)
	if m == nil {
		return Device{}, false
	}
	return Device{Platform: m[1], DType: m[2], Chip: m[3], Compiler: m[4], Flags: m[5]}, true
}

// Names tells whether a device that recipes have as text was named so by the user: chip, compiler and which of several
// cards are not in a name.
func (d Device) Names(text string) bool {
	recorded, ok := RecordedDevice(text)
	return ok && recorded.Platform == d.Platform && recorded.DType == d.DType
}
