"""What was translated before: both levels of the TLB.

The first level, in the order of the data::

    entry                   its tag, its row in the RAM, and how keys are compared
    tags                    all tags are compared with one key in every cycle
    hit_path                the entry's row is read, and answers
    fill_path               which entries a fill or a drop takes out, where a fill goes
    first_level             the wiring
    fill_tracker            whether a fill is written, and when every look-up finds it
    promotions              what the second level answered, on its way into the first

The second level::

    line_store              rows of two pages each, in block RAM
    second_level            its tags, in a store, and its answers

From the leaves of a walk to the fills of both::

    line_buffer             leaf entries, as they come from memory
    line_schedule           which ended walk's line is gone through next
    line_record             what is known of it
    line_runs               which of its pages are contiguous
    line_fill               one entry of the first level; a tag and rows of the second
    lines                   the wiring
"""
