"""Checks that each link of a folder of HTML files that stays in the folder leads to a file and, with
an anchor, to an element of that id."""

import os
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, and the ids that it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src") and value and tag != "base":
                self.links.append(value)


def main(root):
    found = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    pages = {os.path.normpath(path): Page(path) for path in found if path.endswith(".html")}
    broken, count = [], 0
    for path, page in sorted(pages.items()):
        # What the server of a site would send for any missing path has links from the site's root.
        if os.path.basename(path) == "404.html":
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = path
            if parts.path:
                target = os.path.normpath(os.path.join(os.path.dirname(path), unquote(parts.path)))
            if not os.path.isfile(target):
                broken.append(f"{path}: {link}: no such file")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                broken.append(f"{path}: {link}: no such heading")
    print("\n".join(broken) or f"{count} links on {len(pages)} pages lead somewhere")
    return 1 if broken or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
