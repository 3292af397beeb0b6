"""What redbot says of a URL, each note after its level. Argument: the URL."""

import sys
from configparser import ConfigParser

import thor
from redbot.formatter.text import TextFormatter
from redbot.resource import HttpResource


class Levels(TextFormatter):
    """The formatter for text, whose colours are the levels."""

    def colorize(self, level, instr):
        return "%s: %s" % (level.value if level else "none", instr)


config = ConfigParser()
config.read_dict({"redbot": {"enable_local_access": "True"}})
resource = HttpResource(config["redbot"])
resource.set_request(sys.argv[1])
formatter = Levels(config["redbot"], resource, sys.stdout.write, {"tty_out": False, "descend": False})
formatter.bind_resource(resource)


@thor.events.on(formatter)
def formatter_done():
    thor.stop()


resource.check()
thor.run()
