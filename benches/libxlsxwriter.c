/* One sheet in constant memory by libxlsxwriter, from rows on standard input: cells apart by tabs, each
 * with its kind in front (t text, d date, n number), nothing for an empty cell. The first row is the header. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xlsxwriter.h>

int main(int count, char **arguments) {
    if (count != 2) return 2;
    lxw_workbook_options options = {.constant_memory = LXW_TRUE};
    lxw_workbook *book = workbook_new_opt(arguments[1], &options);
    lxw_worksheet *sheet = workbook_add_worksheet(book, "main");
    lxw_format *date = workbook_add_format(book);
    format_set_num_format(date, "yyyy-mm-dd hh:mm:ss");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    for (lxw_row_t row = 0; (length = getline(&line, &room, stdin)) > 0; row++) {
        line[length - 1] = 0;
        char *rest = line, *cell;
        for (lxw_col_t column = 0; (cell = strsep(&rest, "\t")) != NULL; column++) {
            lxw_datetime time = {0};
            if (cell[0] == 't') {
                worksheet_write_string(sheet, row, column, cell + 1, NULL);
            } else if (cell[0] == 'n') {
                worksheet_write_number(sheet, row, column, strtod(cell + 1, NULL), NULL);
            } else if (cell[0] == 'd' && sscanf(cell + 1, "%d-%d-%dT%d:%d:%lf", &time.year, &time.month, &time.day,
                                                &time.hour, &time.min, &time.sec) == 6) {
                worksheet_write_datetime(sheet, row, column, &time, date);
            }
        }
    }
    free(line);
    return workbook_close(book) == LXW_NO_ERROR ? 0 : 1;
}
