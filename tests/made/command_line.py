"""A command started in this process, as a person starts it."""

from absl import flags


def exit_text(main, name, arguments, forgotten):
    """What a command line ends with, "" where it ends well; of the flags `forgotten` the values are taken back afterwards."""
    flags.FLAGS.unparse_flags()
    flags.FLAGS([name, *arguments])
    try:
        main([name])
    except SystemExit as ended:
        return str(ended.code)
    finally:
        for flag in forgotten:
            flags.FLAGS[flag].unparse()
    return ""
