// What the pages do beyond links and forms; each part leaves a page that works without it.
import { openDialogs } from "./dialogs.js";
import { drawCharts } from "./charts.js";
import { showDocs } from "./docs.js";
import { leadHome, leadOutside } from "./outside.js";

openDialogs();
leadOutside();
leadHome();
drawCharts();
showDocs();
