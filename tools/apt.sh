#!/bin/sh
# Install the Debian packages that a list names, where they are missing and this user may; say what to install where not.
missing=""
for package in $(cat "$1"); do
  dpkg-query --show --showformat '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null; then
  echo "Not a Debian machine: install yourself what stands for$missing (see apt.txt)." >&2
  exit 0
fi
run=""
if [ "$(id -u)" != 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "Please install:  sudo apt-get install$missing" >&2
    exit 0
  fi
  run="sudo -n"
fi
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -qq && $run apt-get install -qq -y --no-install-recommends $missing >/dev/null || {
  echo "Could not install$missing; please do:  sudo apt-get install$missing" >&2
  exit 0
}
