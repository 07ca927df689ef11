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
install() {
  $run apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
$run apt-get update -qq
install $missing || for package in $missing; do # one that this release does not have must not cost the others
  install "$package" || echo "Could not install $package; please do:  sudo apt-get install $package" >&2
done
exit 0
