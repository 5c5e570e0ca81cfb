/** The few lines of a log that this room needs; pino's loggers fit. Apart, so that a fake minion needs nothing of Node. */
export interface LinkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
