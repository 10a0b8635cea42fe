package pjrt

// A Release is a plugin in a Python wheel that was tried with this program.
type Release struct {
	Platform Platform
	Package  string // as the Python package index writes it
	Version  string
	License  string
	Name     string // of the wheel
	Size     int64  // of the wheel
	Wheel    string // SHA-256 of the wheel, in hexadecimal
	Member   string // the library inside
	Library  string // SHA-256 of the library
	Bytes    int64  // of the library
}

// releases are those that [Install] takes, one for each platform, and whose names stand in recipes. A newer one is
// added, never put in place of an older: recipes name it.
var releases = []Release{
	{
		Platform: CPU, Package: "lammps-jax-pjrt-cpu", Version: "0.11.2", License: "Apache-2.0",
		Name:    "lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_x86_64.whl",
		Size:    62711338,
		Wheel:   "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		Member:  "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
		Library: "ad1309ac822b1b24d51b7f9947c7c9fa9ef5d67f390584cbc3d1fa2428fed9c2",
		Bytes:   201600336,
	},
	{
		Platform: CUDA, Package: "jax-cuda13-pjrt", Version: "0.11.2", License: "Apache-2.0",
		Name:    "jax_cuda13_pjrt-0.11.2-py3-none-manylinux_2_27_x86_64.whl",
		Size:    134162640,
		Wheel:   "e5ff589d43064913bb74027682d89639c7ea48f9f81c2bae6fc75117e913f93e",
		Member:  "jax_plugins/xla_cuda13/xla_cuda_plugin.so",
		Library: "43d3efd6fd43d8a5d9aa67176e830d81e4ad5fc19fda4ad09cdcc4aebd9f3920",
		Bytes:   411465856,
	},
}

// ReleaseFor is the one that is installed for a platform: the last in the list.
func ReleaseFor(p Platform) (found Release) {
	for _, r := range releases {
		if r.Platform == p {
			found = r
		}
	}
	return found
}
