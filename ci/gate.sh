#!/bin/sh
# The gate in any CI: makes an environment, installs nbpr in it, runs `nbpr gate` with the options given here.
#
#   ci/gate.sh --output gate-out             run and judge, in a job without a token
#   ci/gate.sh --from gate-out --post        post it, in another one
#   ci/gate.sh --base origin/main --head HEAD
#
# GATE_PYTHON        the interpreter, 3.11 or newer; python3
# GATE_PACKAGE       what pip installs; nbpr[run]
# GATE_REQUIREMENTS  a file of what notebooks import, installed where it is there; requirements.txt
set -eu

posts=no
for word in "$@"; do
    case $word in --post | --update) posts=yes ;; esac
done
# Where nothing is posted, no token is left for a notebook to find: not even in the environment of this shell.
if [ $posts = no ] && [ -z "${GATE_BARE:-}" ]; then
    exec env -u ACTIONS_RUNTIME_TOKEN -u ACTIONS_ID_TOKEN_REQUEST_TOKEN -u FORGEJO_TOKEN -u GITEA_TOKEN \
        -u GITHUB_TOKEN -u GH_TOKEN -u NBPR_TOKEN -u CI_JOB_TOKEN GATE_BARE=1 sh "$0" "$@"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' HUP INT TERM
"${GATE_PYTHON:-python3}" -m venv "$folder"
pip() { "$folder/bin/python" -I -m pip install --quiet --disable-pip-version-check "$@"; }
pip "${GATE_PACKAGE:-nbpr[run]}"
requirements=${GATE_REQUIREMENTS:-requirements.txt}
if [ $posts = no ] && [ -f "$requirements" ]; then pip --requirement "$requirements"; fi
PATH="$folder/bin:$PATH" nbpr gate "$@"
