/**
 * Loaded before dependency-cruiser (`node --import`): teaches the syntax tree visitor that it reads TypeScript with what
 * a `using` declaration is, a variable declaration as far as imports go.
 */
import { Visitor } from '@swc/core/Visitor.js';

const { visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};
